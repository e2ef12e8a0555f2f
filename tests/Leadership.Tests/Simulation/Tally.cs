namespace Mirror.Leadership.Tests.Simulation;

/// <summary>What happened in a world: a world in which nothing happens proves nothing.</summary>
internal sealed class Tally
{
    public double Seconds;
    public long Events;
    public long Lost;
    public long Doubled;
    public long Late;
    public long Cuts;
    public long Partitions;
    public long Pauses;
    public long Kills;
    public long PowerLosses;
    public long DiskLosses;
    public long Blackouts;
    public long Orders;
    public long Handovers;
    public long CleanStops;
    public long LastWills;
    public long Epochs;
    public long Failovers;
    public long Moved;
    public long Reigns;
    public long Writes;
    public long Versions;
    public long Consistent;
    public long Fills;
    public long Branches;

    public void Add(Tally other)
    {
        foreach (var field in typeof(Tally).GetFields())
        {
            if (field.GetValue(this) is long count)
            {
                field.SetValue(this, count + (long)field.GetValue(other)!);
            }
            else
            {
                field.SetValue(this, (double)field.GetValue(this)! + (double)field.GetValue(other)!);
            }
        }
    }

    public override string ToString() => string.Join(", ", typeof(Tally).GetFields().Select(field => $"{field.Name} {field.GetValue(this):#,0}"));
}
