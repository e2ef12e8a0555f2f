namespace Mirror.Delta;

/// <summary>Work on a piece of a content on another thread, while this one reads, searches or writes. One piece is under way at a time.</summary>
internal sealed class BackgroundWork
{
    // Below this, handing over costs more than it gains.
    private const int WorthHandingOver = 128 << 10;

    private Task _underWay = Task.CompletedTask;

    /// <summary>Starts the work, or does it when the piece is small. What was under way must be drained.</summary>
    public void Start(int bytes, Action work)
    {
        if (bytes < WorthHandingOver)
        {
            work();
        }
        else
        {
            _underWay = Beside.RunAsync(work);
        }
    }

    /// <summary>Afterwards nothing is under way. Throws what the work threw, each time.</summary>
    public Task DrainAsync() => _underWay;
}
