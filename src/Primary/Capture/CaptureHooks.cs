using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Primary.Capture;

/// <summary>
/// The site's own commands around a capture: one that freezes or snapshots before, one that thaws after. Whoever froze is thawed: <c>after</c> is run whatever became of <c>before</c> and of the
/// capture, also when somebody gave up waiting, and also when this process was killed in between: a mark beside the spool says so to the next one. A hook that fails fails the capture.
/// </summary>
/// <param name="mark">A file that is there while <c>after</c> is owed.</param>
internal sealed class CaptureHooks(SiteConfig site, string tree, string mark, TimeProvider time)
{
    public static string MarkOf(string spool) => spool.TrimEnd(Path.DirectorySeparatorChar) + ".frozen";

    /// <exception cref="CaptureException">A hook failed: says which, and what it said.</exception>
    public async Task<T> AroundAsync<T>(Func<Task<T>> capture, CancellationToken cancellation)
    {
        if (site.Hooks is not { } hooks)
        {
            return await capture();
        }

        if (File.Exists(mark))
        {
            await AfterAsync(hooks, "interrupted");
        }

        T captured;
        try
        {
            await File.WriteAllBytesAsync(mark, [], cancellation);
            await RunAsync(hooks, "before", hooks.Before, "", cancellation);
            captured = await capture();
        }
        catch (Exception failure)
        {
            try
            {
                await AfterAsync(hooks, "failed");
            }
            catch (CaptureException after)
            {
                throw new CaptureException($"{failure.Message} Besides: {after.Message}", failure);
            }

            throw;
        }

        await AfterAsync(hooks, "captured");
        return captured;
    }

    // Not to be cancelled: what is frozen is thawed.
    private async Task AfterAsync(HooksConfig hooks, string outcome)
    {
        await RunAsync(hooks, "after", hooks.After, outcome, CancellationToken.None);
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
                Environment = new Dictionary<string, string> { ["MIRROR_SITE"] = site.Name, ["MIRROR_PHASE"] = phase, ["MIRROR_ROOT"] = tree, ["MIRROR_OUTCOME"] = outcome },
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
