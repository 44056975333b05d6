"""Who may do what over HTTP: the gate before every route, logins, tokens, the audit log."""
