using System.Numerics;
using System.Runtime.InteropServices;
using SharpFuzz.Common;

namespace Mirror.Fuzz;

/// <summary>
/// Which branches a case took, as the instrumented assemblies count them, and whether any of that is new. The counters are one table for the whole process, so a guided run
/// has one working thread a process.
/// </summary>
internal sealed unsafe class Coverage
{
    private const int Size = 1 << 16;
    private static readonly byte* counters = (byte*)NativeMemory.AllocZeroed(Size);

    // For each branch, the orders of magnitude in which it was taken so far.
    private readonly byte[] seen = new byte[Size];

    /// <summary>True in a process that runs on instrumented assemblies.</summary>
    public static bool IsOn { get; } = Environment.GetEnvironmentVariable(Guided.Marker) == "1";

    /// <summary>Before anything instrumented runs: its counters have no other place to go.</summary>
    public static void Prepare() => Trace.SharedMem = counters;

    public static void Begin()
    {
        NativeMemory.Clear(counters, Size);
        Trace.PrevLocation = 0;
    }

    /// <summary>True when the case took a branch that none before took, or took one more often by an order of magnitude.</summary>
    public bool EndedSomewhereNew()
    {
        var isNew = false;
        for (var at = 0; at < Size; at += sizeof(ulong))
        {
            if (*(ulong*)(counters + at) == 0)
            {
                continue;
            }

            for (var branch = at; branch < at + sizeof(ulong); branch++)
            {
                if (counters[branch] is not 0 and var times)
                {
                    var magnitude = (byte)(1 << BitOperations.Log2(times));
                    isNew |= (seen[branch] & magnitude) == 0;
                    seen[branch] |= magnitude;
                }
            }
        }

        return isNew;
    }
}
