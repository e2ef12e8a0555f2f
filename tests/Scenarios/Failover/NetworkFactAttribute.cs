using Mirror.Testing;

namespace Mirror.Scenarios.Failover;

/// <summary>A test with hosts of its own. Skipped, with the reason, where no network namespaces may be made.</summary>
public sealed class NetworkFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> obstacle = new(FindObstacle);

    public NetworkFactAttribute() => Skip = obstacle.Value;

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
