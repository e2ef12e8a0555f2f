using Mirror.Node.Configuration;

namespace Mirror.Primary;

// How capturing goes, for whoever looks.
public sealed partial class PrimaryRole
{
    public CaptureStatus Status
    {
        get
        {
            var now = time.GetUtcNow();
            var open = quiet.OpenFrom(now);
            return new CaptureStatus(last, underWay, NextCapture(), site.Capture.OnChange, open > now ? open : null, touches.Degraded, schedule.Missed) { AtRisk = LookAtRisk() };
        }
    }

    private AtRisk? LookAtRisk() => Others.Any() ? exposure.Look(IsSettled, touches.IsDue || !touches.IsWatched || touches.Degraded is not null) : null;

    // The schedule's, or the loop's own look at everything.
    private (DateTimeOffset At, string Why)? NextCapture()
    {
        var scheduled = schedule.Next();
        if (loop.NextFull is not { } full)
        {
            return scheduled;
        }

        var open = quiet.OpenFrom(full);
        return scheduled is { } due && due.At <= open ? scheduled : (open, $"a look at everything, every {Durations.Format(site.Files.Every)}");
    }
}
