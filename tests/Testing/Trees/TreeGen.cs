using CsCheck;

namespace Mirror.Testing.Trees;

/// <summary>Random trees and random lives of trees, for properties. A tree is what a run of changes makes of an empty one, so it shrinks as the run does.</summary>
public static class TreeGen
{
    private static readonly Gen<byte[]> bytes = Gen.Frequency(
        (3, Gen.Byte.Array[0, 40]),
        (1, Gen.Byte.Array[0, 400]),
        (1, Gen.Const(Array.Empty<byte>())));

    private static readonly TreeChange[] additions =
    [
        TreeChange.AddFile, TreeChange.AddFile, TreeChange.AddFile, TreeChange.AddDirectory, TreeChange.AddDirectory, TreeChange.AddSymlink, TreeChange.AddFifo,
        TreeChange.AddHardlink, TreeChange.AddSparseFile, TreeChange.CopyFile, TreeChange.Touch, TreeChange.ChangeMode, TreeChange.ChangeOwner, TreeChange.ChangeXattr,
        TreeChange.Bury,
    ];

    /// <summary>Any single change.</summary>
    public static Gen<TreeMutation> Mutation { get; } = Of(Enum.GetValues<TreeChange>());

    /// <summary>A tree of up to thirty or so paths.</summary>
    public static Gen<TreeLiteral> Tree { get; } =
        Of(additions).Array[0, 25].Select(static run => run.Aggregate(TreeLiteral.Empty, static (tree, change) => change.Apply(tree)));

    /// <summary>A tree, and what some changes make of it.</summary>
    public static Gen<(TreeLiteral Before, TreeLiteral After)> TreeAndNext { get; } =
        Gen.Select(Tree, Mutation.Array[0, 12], static (tree, run) => (tree, run.Aggregate(tree, static (now, change) => change.Apply(now))));

    /// <summary>The states of a tree over time: two to six of them.</summary>
    public static Gen<TreeLiteral[]> Life { get; } =
        Gen.Select(Tree, Mutation.Array[0, 6].Array[1, 5], static (tree, steps) =>
        {
            var states = new List<TreeLiteral> { tree };
            foreach (var step in steps)
            {
                states.Add(step.Aggregate(states[^1], static (now, change) => change.Apply(now)));
            }

            return states.ToArray();
        });

    private static Gen<TreeMutation> Of(TreeChange[] changes) =>
        Gen.Select(Gen.Int[0, changes.Length - 1], Gen.UInt, Gen.UInt, Gen.UInt, bytes, (change, a, b, c, content) => new TreeMutation(changes[change], a, b, c, content));
}
