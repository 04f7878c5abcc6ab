"""Notifies a webhook, a Slack channel or a command when a job has ended or needs a person."""
