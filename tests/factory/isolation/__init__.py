"""What one tenant's key learns of another: nothing. By table, for every route and command."""
