"""The books: journals sealed and booked, the site log and its checkpoints, receipts, the check."""
