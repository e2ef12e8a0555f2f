using System.Collections.Concurrent;
using System.ComponentModel;

namespace Mirror.Node.Processes;

/// <summary>
/// The guard's deciding thread: what runs, what is being stopped, and how long the node has been silent. When the node is gone or silent, every app has its own grace to end but never
/// more than the stall time, so that no app outlives its node's last beat by more than twice that. Where the node holds a lease, <see cref="SiteHolds"/> keeps its end to the moment.
/// </summary>
internal sealed class GuardedApps : IDisposable
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan KilledWithin = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _time;
    private readonly BlockingCollection<GuardReport> _reports;
    private readonly Dictionary<long, ProcessGroup> _apps = [];
    private readonly Undertaker _undertaker;
    private readonly SiteHolds _holds;
    private readonly long _origin;
    private LifeLock? _life;
    private bool _isReady;
    private TimeSpan? _stall;
    private TimeSpan _lastBeat;
    private int? _exitCode;
    private bool _isLeft;

    public GuardedApps(TimeProvider time, BlockingCollection<GuardReport> reports)
    {
        _time = time;
        _reports = reports;
        _origin = time.GetTimestamp();
        _holds = new SiteHolds(time, _origin);
        _undertaker = new Undertaker(() => _life?.Descriptor);
    }

    private TimeSpan Now => _time.GetElapsedTime(_origin);

    /// <summary>For the apps of the node's earlier life to end.</summary>
    private bool IsWaiting => _stall is not null && !_isReady;

    private bool IsSilent => _stall is { } stall && Now - _lastBeat > stall;

    /// <returns>Exit code for the process; all apps have ended.</returns>
    public int Run(BlockingCollection<GuardEvent> events)
    {
        var giveUpAt = TimeSpan.MaxValue;
        while (true)
        {
            if (events.TryTake(out var item, Wait()))
            {
                Handle(item);
            }

            BeginWhenAlone();
            _holds.Enforce(_apps.Values, Now);
            Sweep();
            if (IsSilent)
            {
                // If it was this process that slept, beats lie in the pipe: a moment for them to be read.
                if (events.TryTake(out item, LookAgain))
                {
                    Handle(item);
                    continue;
                }

                End(1, _stall!.Value); // Also while ending by request: a node that hangs meanwhile leaves no longer grace than any other.
            }

            if (_exitCode is { } code)
            {
                giveUpAt = giveUpAt == TimeSpan.MaxValue ? Now + LongestGrace() + KilledWithin : giveUpAt;
                var settled = !_isLeft || _holds.TrySettle(_apps.Values, Now);
                if ((_apps.Count == 0 && settled) || Now > giveUpAt)
                {
                    return code;
                }
            }
        }
    }

    /// <summary>Closes the undertaker's pipe: it kills what is left on its list, normally nothing. Waits until the last wills have been told; the node's next life need not.</summary>
    public void Dispose()
    {
        _undertaker.Dispose();
        _life?.Dispose();
        _holds.Dispose();
    }

    private TimeSpan LongestGrace() => _apps.Values.Select(app => app.KillIn(Now) ?? TimeSpan.Zero).DefaultIfEmpty().Max();

    private TimeSpan Wait()
    {
        var wait = _isLeft || IsWaiting || _apps.Values.Any(app => app.IsEnding) ? LookAgain : LongestWait;
        if (_holds.NextEnd(Now) is { } ends && ends < wait)
        {
            wait = ends + TimeSpan.FromMilliseconds(1);
        }

        if (_stall is { } stall && _lastBeat + stall - Now is var left && left < wait)
        {
            wait = left + TimeSpan.FromMilliseconds(1);
        }

        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    private void Handle(GuardEvent item)
    {
        switch (item)
        {
            case GuardEvent.Asked asked:
                Handle(asked.Request);
                break;
            case GuardEvent.InputEnded ended:
                _isLeft = !ended.Malformed;
                End(ended.Malformed ? 2 : 1, _stall ?? TimeSpan.Zero);
                break;
            case GuardEvent.ChildChanged:
                _undertaker.Check();
                break;
        }
    }

    private void Handle(GuardRequest request)
    {
        switch (request.Verb)
        {
            case GuardVerb.Hello when request.StallMilliseconds > 0:
                _stall = TimeSpan.FromMilliseconds(request.StallMilliseconds);
                _lastBeat = Now;
                _holds.Serve(request.Node);
                _life = request.Node?.Lock is { } path ? new LifeLock(path) : null;
                break;
            case GuardVerb.Beat:
                var sent = _time.GetElapsedTime(_origin, request.Beat);
                sent = sent < Now ? sent : Now;
                _lastBeat = sent > _lastBeat ? sent : _lastBeat;
                Report(new(GuardReportKind.Alive));
                break;
            case GuardVerb.Start when request.Program is { } program && !_apps.ContainsKey(request.App):
                Start(request.App, program);
                break;
            case GuardVerb.Stop:
                if (_apps.TryGetValue(request.App, out var app))
                {
                    app.Stop(Now, TimeSpan.MaxValue);
                }

                break;
            case GuardVerb.Hold when request.Hold is { } hold:
                _holds.Take(hold);
                break;
            case GuardVerb.Release when request.Site is { } site:
                _holds.Release(site);
                break;
            case GuardVerb.Quit:
                End(0, TimeSpan.MaxValue);
                break;
            default:
                End(2, _stall ?? TimeSpan.Zero);
                break;
        }
    }

    private void BeginWhenAlone()
    {
        if (IsWaiting && (_life is null || _life.TryTake()))
        {
            _isReady = true;
            Report(new(GuardReportKind.Ready) { ProcessId = Environment.ProcessId });
        }
    }

    private void Start(long number, GuardedProgram program)
    {
        if (_exitCode is not null || IsWaiting)
        {
            Report(new(GuardReportKind.Refused) { App = number, Why = IsWaiting ? "apps of the node's earlier life still run" : "the guard is ending" });
            return;
        }

        try
        {
            var group = new ProcessGroup(ProgramStart.Spawn(program), TimeSpan.FromMilliseconds(program.StopMilliseconds), program.Site);
            _apps.Add(number, group);
            _undertaker.Add(group.Leader);
            Report(new(GuardReportKind.Started) { App = number, ProcessId = group.Leader });
        }
        catch (Win32Exception failure)
        {
            Report(new(GuardReportKind.Refused) { App = number, Why = failure.Message });
        }
        catch (AppStartException refusal)
        {
            Report(new(GuardReportKind.Refused) { App = number, Why = refusal.Message });
        }
    }

    private void End(int exitCode, TimeSpan within)
    {
        _exitCode ??= exitCode;
        foreach (var app in _apps.Values)
        {
            app.Stop(Now, within);
        }
    }

    private void Sweep()
    {
        foreach (var (number, app) in _apps)
        {
            if (app.IsGone(Now))
            {
                _apps.Remove(number);
                _undertaker.Drop(app.Leader);
                Report(new(GuardReportKind.Ended) { App = number, ExitCode = app.ExitCode });
            }
        }
    }

    /// <summary>Never waits: a node that does not read its reports is one that stalls.</summary>
    private void Report(GuardReport report) => _ = _reports.TryAdd(report);
}
