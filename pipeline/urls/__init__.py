"""HTTP to URLs that others have named: a picture to fetch, a webhook to tell."""
