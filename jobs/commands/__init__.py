"""What each command of ``retouch`` does, a module for each; doctor and schedule have packages of their own."""
