using System.CommandLine;
using System.CommandLine.Parsing;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;

namespace Mirror.Cli.Commands;

/// <summary>How every command runs: its exceptions become one message with a remedy and an exit code. What is not foreseen here is a bug, and shows as one.</summary>
internal static class Running
{
    public static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead of text.", Recursive = true };

    public static void SetRun(this Command command, Func<ParseResult, Shown, CancellationToken, Task<int>> run)
    {
        command.Options.Add(Json);
        EmbeddedStore.AddWait(command);
        RefuseEmpty(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            var shown = new Shown(parsed.GetValue(Json));
            try
            {
                return await run(parsed, shown, cancellation);
            }
            catch (ConfigException faults)
            {
                shown.EndProgress();
                shown.Error($"the configuration has {faults.Faults.Count} fault(s):\n" + string.Join('\n', faults.Faults.Select(FaultText.Line)), faults.Faults.Select(FaultText.ToJson));
                return ExitCode.Configuration;
            }
            catch (Exception failure) when (Explain(failure, cancellation) is not null)
            {
                shown.EndProgress();
                var (message, code) = Explain(failure, cancellation)!.Value;
                shown.Error(message);
                return code;
            }
        });
    }

    /// <summary>A command line that makes no sense: each fault in a line, and where the help is. Nothing was begun.</summary>
    public static int Refuse(ParseResult parsed)
    {
        var names = new Stack<string>();
        for (SymbolResult? at = parsed.CommandResult; at is CommandResult { Parent: not null } inner; at = inner.Parent)
        {
            names.Push(inner.Command.Name);
        }

        var help = string.Join(' ', names.Prepend("mirror").Append("--help"));
        var faults = parsed.UnmatchedTokens.Count > 0
            ? $"there is no command, argument or option \"{parsed.UnmatchedTokens[0]}\" here."
            : string.Join(' ', parsed.Errors.Select(error => error.Message.Trim()));
        new Shown(parsed.Tokens.Any(token => token.Value == "--json")).Error($"{faults} `{help}` shows what it takes.");
        return ExitCode.Usage;
    }

    /// <summary>An empty value is most often a script's variable that was never set; no command has a use for one.</summary>
    private static void RefuseEmpty(Command command)
    {
        foreach (var argument in command.Arguments)
        {
            argument.Validators.Add(found => Check(found, $"<{argument.Name}>"));
        }

        foreach (var option in command.Options)
        {
            option.Validators.Add(found => Check(found, option.Name));
        }

        static void Check(SymbolResult found, string name)
        {
            if (found.Tokens.Any(token => string.IsNullOrWhiteSpace(token.Value)))
            {
                found.AddError($"{name} is given and empty.");
            }
        }
    }

    /// <summary>Of the chain of exceptions that the client puts into one line, the last link says what happened.</summary>
    private static string Reason(string detail) => detail[(detail.LastIndexOf("Exception: ", StringComparison.Ordinal) is var at and >= 0 ? at + "Exception: ".Length : 0)..].TrimEnd('.');

    /// <summary>What is shown of a failure; null for a bug.</summary>
    public static (string Message, int Code)? Explain(Exception failure, CancellationToken cancellation) => failure switch
    {
        CommandException known => (known.Message, known.ExitCode),
        NotRunningException => (failure.Message, ExitCode.Unreachable),
        RpcException { StatusCode: StatusCode.Unavailable } call => ($"no answer: {Reason(call.Status.Detail)}. Start the process there (`mirror node`), or ask another member with --node.", ExitCode.Unreachable),
        RpcException call => (call.Status.Detail, ExitCode.Failed),
        _ when KnownFailures.Explains(failure) => (failure.Message, ExitCode.Failed),
        OperationCanceledException when cancellation.IsCancellationRequested => ("interrupted; nothing half-done was left behind", ExitCode.Failed),
        _ => null,
    };
}
