using Mirror.Store.Versions;

namespace Mirror.Cli.Output;

/// <summary>A store's progress on one line.</summary>
internal sealed class ShownProgress(Shown shown) : IProgress<StoreProgress>
{
    public void Report(StoreProgress value) => shown.Progress($"{value.Step} {value.Done}/{value.Total}");
}
