"""Who is told when a job has come to its end or needs a person: a webhook, a Slack channel, a command."""
