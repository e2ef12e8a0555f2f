using Mirror.Leadership.Core;

namespace Mirror.Leadership.Tests.Simulation;

/// <summary>
/// A version as it really is, whatever its number says: where it comes from. That one contains another is answered in logarithmic time by jumps back.
/// </summary>
internal sealed class Version
{
    private readonly Version jump;

    public Version(Position id, Version? parent, long writes)
    {
        Id = id;
        Parent = parent;
        Writes = writes;
        Depth = parent is null ? 0 : parent.Depth + 1;
        Base = parent is null || parent.Id.Epoch == id.Epoch ? parent?.Base ?? default : parent.Id;
        Root = parent is null || parent.Id.Epoch == id.Epoch ? parent?.Root : parent;
        jump = parent switch
        {
            null => this,
            _ when parent.Depth - parent.jump.Depth == parent.jump.Depth - parent.jump.jump.Depth => parent.jump.jump,
            _ => parent,
        };
    }

    public Position Id { get; }

    public Version? Parent { get; }

    /// <summary>How many writes of clients it contains, with those of its ancestors.</summary>
    public long Writes { get; }

    public int Depth { get; }

    /// <summary>The version its epoch grew from, as it is announced.</summary>
    public Position Base { get; }

    /// <summary>The same as a version.</summary>
    public Version? Root { get; }

    /// <summary>True when this is the other one or grew from it.</summary>
    public bool Contains(Version other)
    {
        var version = this;
        while (version.Depth > other.Depth)
        {
            version = version.jump.Depth >= other.Depth ? version.jump : version.Parent!;
        }

        return ReferenceEquals(version, other);
    }

    public override string ToString() => Id.ToString();
}
