"""The command line `onepath`: one module per command or group of commands, `main` above all."""
