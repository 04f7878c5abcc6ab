"""The edge to Google's Gemini API."""
