"""What the command exits with: 0 done; 1 nothing could be computed; 2 bad input; 130 interrupted."""

EXIT_DONE, EXIT_NOTHING, EXIT_BAD_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130
