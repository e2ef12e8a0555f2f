namespace Mirror.Bench;

/// <param name="Work">Where workloads and results of runs lie; large, and best in memory (/dev/shm) when programs are compared and not disks.</param>
/// <param name="Scale">1 for the sizes that are documented; small for a trial.</param>
/// <param name="Synthetic">Make dumps without PostgreSQL, even where it is installed.</param>
internal sealed record WorkOptions(string Work, double Scale, bool Synthetic);
