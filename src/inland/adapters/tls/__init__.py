"""TLS on the factory's own port: certificates made, read, served and examined."""
