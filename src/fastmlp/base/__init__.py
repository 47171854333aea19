"""The lowest floor: errors, validation of arguments, configurations, threads, the engine's door."""
