using System.Globalization;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Node.Apps;

/// <summary>Boots a site's apps on a tree and waits until each is healthy. One <see cref="AppSet"/> is one boot; blue and green are two of them.</summary>
public sealed class SiteApps(SiteConfig site, MemberConfig member, GuardClient guard, TimeProvider time)
{
    /// <summary>What an app may see of the node's environment: nothing that could be a secret.</summary>
    private static readonly string[] s_passedOn =
        ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "DOTNET_ROOT"];

    /// <summary>From now on the apps of the site, those that run and those to come, are not to outlive a lease. Told anew at each renewal.</summary>
    public void Hold(SiteHold hold) => guard.Hold(hold);

    /// <summary>They hang on no lease any more: what runs from now on serves nobody but readers.</summary>
    public void Release() => guard.Release(site.Name);

    /// <param name="tree">Directory for <c>{root}</c>.</param>
    /// <param name="slot"><c>a</c>, <c>b</c> or <c>live</c>.</param>
    /// <param name="role"><c>primary</c> or <c>replica</c>, for <c>{role}</c>.</param>
    /// <param name="databases">Database name → what <c>{database:NAME}</c> becomes (a file path, or a PostgreSQL connection string).</param>
    /// <exception cref="AppUnhealthyException">An app could not be started, ended, or was not healthy in time; nothing is left running. Has the tail of its log.</exception>
    /// <exception cref="AppTemplateException">The command or environment has an unknown placeholder; nothing was started.</exception>
    public async Task<AppSet> BootAsync(string tree, string slot, string role, IReadOnlyDictionary<string, string> databases, CancellationToken cancellation)
    {
        var booted = new List<BootedApp>(site.Apps.Count);
        try
        {
            foreach (var config in site.Apps)
            {
                var values = new Dictionary<string, string> { ["address"] = member.Address, ["root"] = tree, ["slot"] = slot, ["role"] = role, ["node"] = member.Name };
                var app = await StartAsync(config, tree, values, databases, cancellation);
                booted.Add(app);
                await BecomeHealthyAsync(config, app, cancellation);
            }

            return new AppSet(tree, booted);
        }
        catch
        {
            await AppSet.StopAsync(booted);
            throw;
        }
    }

    private async Task<BootedApp> StartAsync(
        AppConfig config, string tree, Dictionary<string, string> values, IReadOnlyDictionary<string, string> databases, CancellationToken cancellation)
    {
        var port = AppPorts.Take(member);
        try
        {
            values["port"] = port.ToString(CultureInfo.InvariantCulture);
            var template = new AppTemplate(values, databases);
            var environment = BaseEnvironment();
            foreach (var (name, value) in config.Environment)
            {
                environment[name] = template.Fill(value);
            }

            var log = AppLog.Open(member.State, site.Name, config.Name);
            var launch = new AppLaunch($"{site.Name}/{config.Name}", [.. config.Command.Select(template.Fill)], tree, environment, log.Path, config.StopWithin) { Site = site.Name };
            var process = await guard.StartAppAsync(launch, cancellation);
            return new(config.Name, site.Name, process, port, new UriBuilder("http", member.Address, port).Uri.GetLeftPart(UriPartial.Authority), log);
        }
        catch (Exception failure)
        {
            AppPorts.GiveBack(port);
            if (failure is AppStartException)
            {
                throw new AppUnhealthyException(failure.Message, failure);
            }

            throw;
        }
    }

    private async Task BecomeHealthyAsync(AppConfig config, BootedApp app, CancellationToken cancellation)
    {
        var url = new Uri(app.Address + config.Health);
        var lastAnswer = "nothing";
        using var late = new CancellationTokenSource(config.StartWithin, time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        var healthy = AppHealth.WaitAsync(url, answer => lastAnswer = answer, time, over.Token);
        if (await Task.WhenAny(healthy, app.Process.Exited) == healthy && !healthy.IsCanceled)
        {
            await healthy;
            if (!app.Process.Exited.IsCompleted)
            {
                return;
            }
        }

        await over.CancelAsync();
        await healthy.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellation.ThrowIfCancellationRequested();
        if (app.Process.Exited.IsCompleted)
        {
            throw new AppUnhealthyException($"Not healthy at {url}: {app.Obituary()}");
        }

        var tail = app.Log.Tail();
        throw new AppUnhealthyException(
            $"App '{config.Name}' of site '{site.Name}' was not healthy at {url} within {config.StartWithin.TotalSeconds:0.#} s; its last answer was: {lastAnswer}. "
            + (tail.Length > 0 ? $"The end of {app.Log.Path}:\n{tail}" : $"It wrote nothing to {app.Log.Path}."));
    }

    private static Dictionary<string, string> BaseEnvironment()
    {
        var environment = new Dictionary<string, string>();
        foreach (var name in s_passedOn)
        {
            if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } value)
            {
                environment[name] = value;
            }
        }

        return environment;
    }
}

public sealed class AppUnhealthyException(string message, Exception? cause = null) : Exception(message, cause);
