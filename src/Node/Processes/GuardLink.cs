using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;

namespace Mirror.Node.Processes;

/// <summary>
/// One guard process and the conversation with it. Lost is lost: when the process ends, stops answering or talks nonsense, all its apps are made sure to be dead and reported as ended;
/// <see cref="GuardClient"/> then makes another link.
/// </summary>
internal sealed class GuardLink
{
    private const int BeatsInAStall = 4;

    /// <summary>Two stall times: a busy machine may be slow, and a hung guard does no harm as long as the node lives.</summary>
    private const int UnansweredBeatsAllowed = 2 * BeatsInAStall;

    private static readonly TimeSpan ReadyWithin = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan MarginForEnding = TimeSpan.FromSeconds(10);

    private readonly Process _process;
    private readonly TimeProvider _time;
    private readonly TimeSpan _stall;
    private readonly Channel<byte[]> _outgoing = Channel.CreateUnbounded<byte[]>(new() { SingleReader = true });
    private readonly ConcurrentDictionary<long, Entry> _apps = [];
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _lost = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastNumber;
    private int _unansweredBeats;
    private volatile bool _quitting;

    private GuardLink(Process process, TimeSpan stall, TimeProvider time)
    {
        _process = process;
        ProcessId = process.Id;
        _time = time;
        _stall = stall;
    }

    public int ProcessId { get; }

    /// <summary>Completes, with the reason, when the guard is gone and all its apps are dead.</summary>
    public Task<string> Lost => _lost.Task;

    /// <exception cref="GuardException">It cannot be started or does not answer.</exception>
    public static async Task<GuardLink> StartAsync(IReadOnlyList<string> command, TimeSpan stall, GuardedNode? node, TimeProvider time, CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stall, TimeSpan.FromMilliseconds(BeatsInAStall));
        var link = new GuardLink(Launch(command), stall, time);
        link.Say(new(GuardVerb.Hello) { StallMilliseconds = (long)stall.TotalMilliseconds, Node = node });
        _ = link.ConverseAsync();
        var ready = link._ready.Task;
        var within = node?.Lock is null ? ReadyWithin : ReadyWithin + stall; // So long an earlier guard may leave its apps.
        try
        {
            await Task.WhenAny(ready, link.Lost).WaitAsync(within, time, cancellation);
        }
        catch (Exception failure) when (failure is OperationCanceledException or TimeoutException)
        {
            link.Abandon();
            _ = await link.Lost;
            if (failure is TimeoutException)
            {
                var other = node?.Lock is { } life ? $" If another process holds {life} (`fuser {life}` says which), that is this node already, or an earlier life's guard whose apps do not end." : "";
                throw new GuardException($"The guard '{string.Join(' ', command)}' did not answer within {within.TotalSeconds:0} s.{other}", failure);
            }

            throw;
        }

        return ready.IsCompletedSuccessfully
            ? link
            : throw new GuardException($"The guard '{string.Join(' ', command)}' could not be used: {await link.Lost}");
    }

    /// <exception cref="AppStartException">The guard refused, or was lost.</exception>
    public async Task<RunningApp> StartAppAsync(AppLaunch launch, CancellationToken cancellation)
    {
        var number = Interlocked.Increment(ref _lastNumber);
        var entry = new Entry(launch.Id);
        _apps[number] = entry;
        Say(new(GuardVerb.Start)
        {
            App = number,
            Program = new(launch.Command, launch.WorkingDirectory, launch.Environment, launch.LogPath, (long)launch.StopWithin.TotalMilliseconds, launch.Site),
        });
        if (Lost.IsCompleted)
        {
            FailAll(await Lost);
        }

        try
        {
            return await entry.Started.Task.WaitAsync(cancellation);
        }
        catch (OperationCanceledException) when (!entry.Started.Task.IsFaulted)
        {
            RequestStop(number);
            throw;
        }
    }

    public void Hold(SiteHold hold) => Say(new(GuardVerb.Hold) { Hold = hold });

    public void Release(string site) => Say(new(GuardVerb.Release) { Site = site });

    public void RequestStop(long number) => Say(new(GuardVerb.Stop) { App = number });

    /// <summary>Stops all apps, each within its own grace, and the guard.</summary>
    public async Task QuitAsync(TimeSpan longestGrace)
    {
        _quitting = true;
        Say(new(GuardVerb.Quit));
        try
        {
            _ = await Lost.WaitAsync(longestGrace + MarginForEnding, _time);
        }
        catch (TimeoutException)
        {
            Abandon();
            _ = await Lost;
        }
    }

    private static Process Launch(IReadOnlyList<string> command)
    {
        var start = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true };
        try
        {
            return Process.Start(start) ?? throw new GuardException($"The guard '{command[0]}' was not started.");
        }
        catch (Win32Exception failure)
        {
            throw new GuardException($"The guard '{command[0]}' could not be started: {failure.Message}", failure);
        }
    }

    private void Say(GuardRequest request) => _outgoing.Writer.TryWrite(GuardJson.Line(request));

    /// <summary>Makes the guard end at once; what talks to it notices.</summary>
    private void Abandon()
    {
        try
        {
            _process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended already, which was the aim.
        }
    }

    private async Task ConverseAsync()
    {
        using var over = new CancellationTokenSource();
        var writing = WriteAsync(over.Token);
        var beating = BeatAsync(over.Token);
        var reason = await ReadAsync();
        _outgoing.Writer.TryComplete();
        await over.CancelAsync();
        Abandon();
        await _process.WaitForExitAsync(CancellationToken.None);
        reason = _quitting ? "The guard was asked to end." : $"{reason} Its exit code is {_process.ExitCode}.";
        await Task.WhenAll(writing, beating);
        _process.Dispose();
        KillLeftovers();
        FailAll(reason);
        _lost.TrySetResult(reason);
        FailAll(reason); // An app asked for while the reason was being set.
    }

    private async Task WriteAsync(CancellationToken over)
    {
        try
        {
            var input = _process.StandardInput.BaseStream;
            await foreach (var line in _outgoing.Reader.ReadAllAsync(over))
            {
                await input.WriteAsync(line, over);
                await input.FlushAsync(over);
            }
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException)
        {
            // Its end of the pipe is closed: reading notices the end too, and says why.
        }
    }

    private async Task BeatAsync(CancellationToken over)
    {
        using var timer = new PeriodicTimer(_stall / BeatsInAStall, _time);
        try
        {
            do
            {
                Say(new(GuardVerb.Beat) { Beat = _time.GetTimestamp() });
                if (Interlocked.Increment(ref _unansweredBeats) > UnansweredBeatsAllowed && _ready.Task.IsCompleted)
                {
                    Abandon(); // Stopped or hung: it would not notice when the node ends.
                }
            }
            while (await timer.WaitForNextTickAsync(over));
        }
        catch (OperationCanceledException)
        {
            // The conversation is over.
        }
    }

    /// <returns>Why there is nothing more to read.</returns>
    private async Task<string> ReadAsync()
    {
        try
        {
            var lines = new BoundedLines(_process.StandardOutput.BaseStream);
            while (await lines.NextAsync(CancellationToken.None) is { } line)
            {
                Handle(GuardJson.Report(line.Span));
            }

            return "The guard ended.";
        }
        catch (Exception failure) when (failure is IOException or InvalidDataException or JsonException)
        {
            return $"The guard could not be understood: {failure.Message}";
        }
    }

    private void Handle(GuardReport report)
    {
        switch (report.Kind)
        {
            case GuardReportKind.Ready:
                _ready.TrySetResult();
                break;
            case GuardReportKind.Alive:
                Interlocked.Exchange(ref _unansweredBeats, 0);
                break;
            case GuardReportKind.Started when _apps.TryGetValue(report.App, out var entry):
                entry.App = new RunningApp(this, report.App, report.ProcessId);
                entry.Started.TrySetResult(entry.App);
                break;
            case GuardReportKind.Refused when _apps.TryRemove(report.App, out var entry):
                entry.Started.TrySetException(new AppStartException($"App '{entry.Id}' cannot be started: {report.Why}."));
                break;
            case GuardReportKind.Ended when _apps.TryRemove(report.App, out var entry):
                entry.App?.End(report.ExitCode);
                break;
        }
    }

    /// <summary>The guard's undertaker does this too; but a node that lives doesn't rely on it.</summary>
    private void KillLeftovers()
    {
        foreach (var entry in _apps.Values)
        {
            if (entry.App is { } app)
            {
                _ = PosixProcess.SignalGroup(app.ProcessId, PosixProcess.SigKill);
            }
        }
    }

    private void FailAll(string reason)
    {
        foreach (var number in _apps.Keys)
        {
            if (_apps.TryRemove(number, out var entry))
            {
                entry.Started.TrySetException(new AppStartException($"App '{entry.Id}' was not started: {reason}"));
                _ = entry.Started.Task.Exception;
                entry.App?.End(128 + PosixProcess.SigKill, reason);
            }
        }
    }

    private sealed class Entry(string id)
    {
        public string Id => id;

        public TaskCompletionSource<RunningApp> Started { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public RunningApp? App { get; set; }
    }
}
