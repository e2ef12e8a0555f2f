using Mirror.Node.Configuration;
using Mirror.Node.Processes;
using Mirror.Primary.Watch;

namespace Mirror.Primary.Capture;

/// <summary>
/// The site's own commands around a capture: one that freezes or snapshots before, one that thaws after. Whoever froze is thawed: <c>after</c> is run whatever became of <c>before</c> and of the
/// capture, also when somebody gave up waiting, and also when this process was killed in between: a mark beside the spool says so to the next one. A hook that fails fails the capture.
/// </summary>
/// <param name="mark">A file that is there while <c>after</c> is owed.</param>
/// <param name="touches">Learns what they change in the tree; null when nobody watches it.</param>
internal sealed class CaptureHooks(SiteConfig site, string tree, string mark, TimeProvider time, HookTouches? touches = null)
{
    /// <summary>Where <c>before</c> is to show a snapshot of the tree, when that is what is captured.</summary>
    public string? Snapshot { get; init; }

    public static string MarkOf(string spool) => spool.TrimEnd(Path.DirectorySeparatorChar) + ".frozen";

    /// <exception cref="CaptureException">A hook failed: says which, and what it said.</exception>
    /// <param name="claim">What the capture looks at; takes what was touched until <c>before</c> had ended.</param>
    public async Task<T> AroundAsync<T>(Func<Task<T>> capture, CancellationToken cancellation, TouchClaim? claim = null)
    {
        if (site.Hooks is not { } hooks)
        {
            return await capture();
        }

        if (File.Exists(mark))
        {
            await AfterAsync(hooks, "interrupted", claim);
        }

        if (Snapshot is not null)
        {
            TreeSnapshot.RequireNone(Snapshot, site.Name);
        }

        T captured;
        try
        {
            await File.WriteAllBytesAsync(mark, [], cancellation);
            claim?.TakeMore();
            touches?.Begin();
            try
            {
                await RunAsync(hooks, "before", hooks.Before, "", cancellation);
            }
            finally
            {
                touches?.EndBefore(claim!, frozen: Snapshot is not null);
            }

            captured = await capture();
        }
        catch (Exception failure)
        {
            try
            {
                await AfterAsync(hooks, "failed", claim);
            }
            catch (CaptureException after)
            {
                throw new CaptureException($"{failure.Message} Besides: {after.Message}", failure);
            }

            throw;
        }

        await AfterAsync(hooks, "captured", claim);
        return captured;
    }

    // Not to be cancelled: what is frozen is thawed.
    private async Task AfterAsync(HooksConfig hooks, string outcome, TouchClaim? claim)
    {
        touches?.Begin();
        try
        {
            await RunAsync(hooks, "after", hooks.After, outcome, CancellationToken.None);
        }
        finally
        {
            touches?.EndAfter(claim!);
        }

        File.Delete(mark);
    }

    private async Task RunAsync(HooksConfig hooks, string phase, IReadOnlyList<string> command, string outcome, CancellationToken cancellation)
    {
        if (command.Count == 0)
        {
            return;
        }

        try
        {
            await new Tool(command[0], [.. command.Skip(1)])
            {
                Within = hooks.Within,
                Environment = new Dictionary<string, string> { ["MIRROR_SITE"] = site.Name, ["MIRROR_PHASE"] = phase, ["MIRROR_ROOT"] = tree, ["MIRROR_OUTCOME"] = outcome, ["MIRROR_READ_FROM"] = site.Files.ReadFrom ?? "" },
            }.RunAsync(time, cancellation);
        }
        catch (ToolException failure)
        {
            throw new CaptureException(
                $"The hook `{phase}` of {site.Name} failed: {failure.Message} "
                + (phase == "before" ? "Nothing was captured." : "What it was to undo may still be as it was: look there. No version was recorded, and it is run again with the next capture."), failure);
        }
    }
}
