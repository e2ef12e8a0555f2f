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
            return new CaptureStatus(
                last, underWay, schedule.Next(), site.Capture.OnChange, open > now ? open : null, loop.Degraded, schedule.Missed);
        }
    }
}
