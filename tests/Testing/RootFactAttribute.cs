using Xunit;

namespace Mirror.Testing;

/// <summary>A test of what only root may do: owners, devices, giving up rights. Skipped, with the reason, for anybody else.</summary>
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Skip = "Needs root.";
        }
    }
}
