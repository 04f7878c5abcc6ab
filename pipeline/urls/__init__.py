"""HTTP to URLs that come from others: pictures to fetch, webhooks to notify."""
