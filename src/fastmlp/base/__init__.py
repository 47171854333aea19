"""The lowest floor: exceptions, validation, configuration, threads, calls of the engine."""
