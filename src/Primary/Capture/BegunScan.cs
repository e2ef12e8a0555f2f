using Mirror.Delta;
using Mirror.Primary.Watch;
using Mirror.Store.Versions;

namespace Mirror.Primary.Capture;

/// <summary>
/// A walk of a live tree that was begun before it is known what it will be compared with: reading an index and walking a tree take about as long, and go on side by side.
/// </summary>
public sealed class BegunScan
{
    private readonly Task<SourceScan> walk;

    private BegunScan(DateTimeOffset at, Task<SourceScan> walk)
    {
        At = at;
        this.walk = walk;
    }

    internal DateTimeOffset At { get; }

    /// <param name="tree">A tree without databases: those are dumped before it is walked.</param>
    public static BegunScan Of(string tree, PathFilter filter, TimeProvider time, CancellationToken cancellation) => Of(new CaptureSource(tree, null, filter), time, cancellation);

    internal static BegunScan Of(CaptureSource source, TimeProvider time, CancellationToken cancellation)
    {
        var at = source.Since ?? time.GetUtcNow();
        return new BegunScan(at, Beside.RunAsync(() => source.Scan(cancellation), cancellation));
    }

    /// <summary>A look at what was touched.</summary>
    internal static BegunScan Of(CaptureSource source, TouchedPaths touched, VersionStore store, TimeProvider time, CancellationToken cancellation)
    {
        var at = source.Since ?? time.GetUtcNow();
        return new BegunScan(at, Beside.RunAsync(() => source.Look(touched, store.HeadManifest, store.StatKeys, cancellation), cancellation));
    }

    /// <exception cref="CaptureException">The root is gone, or something in it cannot be read.</exception>
    internal Task<SourceScan> FoundAsync() => walk;
}
