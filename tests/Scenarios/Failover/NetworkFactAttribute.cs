using Mirror.Testing;

namespace Mirror.Scenarios.Failover;

/// <summary>A test with hosts of its own. Skipped, with the reason, where no network namespaces may be made.</summary>
public sealed class NetworkFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> obstacle = new(FindObstacle);

    /// <param name="always">False: only where all scenarios are played, that is, where MIRROR_ROUNDS says how often.</param>
    public NetworkFactAttribute(bool always = true) => Skip = always || ScenarioTable.IsAsked ? obstacle.Value : "`./build.sh scenarios` plays it.";

    private static string? FindObstacle()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            return "Needs root, to make network namespaces.";
        }

        try
        {
            Shell.Run("nft --version; unshare --net ip link add port type veth peer name other");
            return null;
        }
        catch (InvalidOperationException refused)
        {
            return $"No network namespaces can be made here: {refused.Message}";
        }
    }
}
