using System.CommandLine;
using Grpc.Core;
using Mirror.Cli.Output;
using Mirror.Delta;
using Mirror.Leadership.Membership;
using Mirror.Node.Channels;
using Mirror.Node.Configuration;
using Mirror.Node.Identity;
using Mirror.Node.Listening;
using Mirror.Node.Processes;
using Mirror.Primary.Capture;
using Mirror.Store.Packs;
using Mirror.Store.Versions;

namespace Mirror.Cli.Commands;

/// <summary>How every command runs: its exceptions become one message with a remedy and an exit code. What is not foreseen here is a bug, and shows as one.</summary>
internal static class Running
{
    public static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object instead of text.", Recursive = true };

    public static void SetRun(this Command command, Func<ParseResult, Shown, CancellationToken, Task<int>> run)
    {
        command.Options.Add(Json);
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
                shown.Error(
                    $"the configuration has {faults.Faults.Count} fault(s):\n" + string.Join('\n', faults.Faults.Select(fault => $"  {fault.Where}: {fault.Key}: {fault.What} {fault.Remedy}")),
                    faults.Faults);
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

    private static (string Message, int Code)? Explain(Exception failure, CancellationToken cancellation) => failure switch
    {
        CommandException known => (known.Message, known.ExitCode),
        NotRunningException => (failure.Message, ExitCode.Unreachable),
        RpcException { StatusCode: StatusCode.Unavailable } call => ($"no answer: {call.Status.Detail.TrimEnd('.')}. Start the process there (`mirror node`), or ask another member with --node.", ExitCode.Unreachable),
        RpcException call => (call.Status.Detail, ExitCode.Failed),
        StoreException or PackFormatException or CaptureException or IdentityException or DeltaFormatException or ListenException or ClusterException or GuardException
            => (failure.Message, ExitCode.Failed),
        UnauthorizedAccessException or IOException or InvalidDataException => (failure.Message, ExitCode.Failed),
        OperationCanceledException when cancellation.IsCancellationRequested => ("interrupted; nothing half-done was left behind", ExitCode.Failed),
        _ => null,
    };
}
