"""The command line: a table of commands, how a command is started, and one vocabulary of flags for all."""
