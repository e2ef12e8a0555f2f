using Mirror.Store.Tree;

namespace Mirror.Primary.Capture;

/// <summary>
/// A walk of a live tree that was begun before it is known what it will be compared with: reading an index and walking a tree take about as long, and go on side by side.
/// </summary>
public sealed class BegunScan
{
    private readonly Task<IReadOnlyList<ScannedEntry>> walk;

    private BegunScan(DateTimeOffset at, Task<IReadOnlyList<ScannedEntry>> walk)
    {
        At = at;
        this.walk = walk;
    }

    internal DateTimeOffset At { get; }

    /// <param name="tree">A tree without databases: those are dumped before it is walked.</param>
    public static BegunScan Of(string tree, PathFilter filter, TimeProvider time, CancellationToken cancellation) => Of(new CaptureSource(tree, null, filter), time, cancellation);

    internal static BegunScan Of(CaptureSource source, TimeProvider time, CancellationToken cancellation)
    {
        var at = time.GetUtcNow();
        return new BegunScan(at, Task.Run(() => source.Scan(cancellation), cancellation));
    }

    /// <exception cref="CaptureException">The root is gone, or something in it cannot be read.</exception>
    internal Task<IReadOnlyList<ScannedEntry>> FoundAsync() => walk;
}
