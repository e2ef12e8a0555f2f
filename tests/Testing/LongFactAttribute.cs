using Xunit;

namespace Mirror.Testing;

/// <summary>A test that takes minutes. Skipped, with the reason, unless MIRROR_LONG=1.</summary>
public sealed class LongFactAttribute : FactAttribute
{
    public LongFactAttribute()
    {
        if (Environment.GetEnvironmentVariable("MIRROR_LONG") != "1")
        {
            Skip = "Takes minutes; set MIRROR_LONG=1.";
        }
    }
}
