using Mirror.Node.Configuration;

namespace Mirror.Cli.Output;

/// <summary>A fault of the configuration as people and scripts read it.</summary>
internal static class FaultText
{
    public static string Line(ConfigFault fault) => $"  {fault.Where}: {fault.Key}: {fault.What} {fault.Remedy}";

    public static Fields ToJson(ConfigFault fault) => new() { ["where"] = fault.Where, ["key"] = fault.Key, ["what"] = fault.What, ["remedy"] = fault.Remedy };
}
