using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Node.Apps;

/// <summary>Boots a site's apps on a tree and waits until each is healthy. One <see cref="AppSet"/> is one boot; blue and green are two of them.</summary>
public sealed class SiteApps(SiteConfig site, MemberConfig member, GuardClient guard, TimeProvider time)
{
    /// <param name="tree">Directory for <c>{root}</c>.</param>
    /// <param name="slot"><c>a</c>, <c>b</c> or <c>live</c>.</param>
    /// <param name="role"><c>primary</c> or <c>replica</c>, for <c>{role}</c>.</param>
    /// <param name="databases">Database name → what <c>{database:NAME}</c> becomes (a file path, or a PostgreSQL connection string).</param>
    /// <exception cref="AppUnhealthyException">An app ended or was not healthy in time; nothing is left running. Has the tail of its log.</exception>
    public Task<AppSet> BootAsync(string tree, string slot, string role, IReadOnlyDictionary<string, string> databases, CancellationToken cancellation) =>
        throw new NotImplementedException(site.Name + member.Name + guard + time);
}

/// <summary>Running, healthy apps of one site on one tree.</summary>
public sealed class AppSet : IAsyncDisposable
{
    /// <summary>Where the first app answers, e.g. <c>http://10.0.0.1:20001</c>; null for a site without apps.</summary>
    public string? Address => throw new NotImplementedException();

    public string Tree => throw new NotImplementedException();

    public IReadOnlyList<int> ProcessIds => throw new NotImplementedException();

    /// <summary>Completes when any app ends on its own, with a sentence about it.</summary>
    public Task<string> Failed => throw new NotImplementedException();

    /// <summary>Stops all, gracefully; idempotent.</summary>
    public ValueTask DisposeAsync() => throw new NotImplementedException();
}

public sealed class AppUnhealthyException(string message) : Exception(message);
