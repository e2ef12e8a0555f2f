using Mirror.Store.Versions;

namespace Mirror.Cli.Output;

/// <summary>A store's progress on one line, renewed when it would look different: a store reports every file.</summary>
internal sealed class ShownProgress(Shown shown) : IProgress<StoreProgress>
{
    private const long Steps = 200;

    private (string Step, long Share) last;

    public void Report(StoreProgress value)
    {
        var now = (value.Step, Share: value.Total > 0 ? (long)((double)value.Done / value.Total * Steps) : value.Done);
        if (now != last)
        {
            last = now;
            shown.Progress($"{value.Step} {value.Done}/{value.Total}");
        }
    }
}
