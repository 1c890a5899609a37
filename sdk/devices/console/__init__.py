"""A board's shell behind a line of characters: log in, ask, send and fetch, each checked and each repeated when the line spoils it."""
