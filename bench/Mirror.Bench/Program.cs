using Mirror.Bench;

return await BenchCommands.RunAsync(args);
