using System.Numerics;

namespace Mirror.Fuzz;

/// <summary>
/// One reader of bytes that somebody else wrote. Reading ends in one of two ways: the input is accepted, or it is refused with an exception of the documented kinds.
/// Anything else, or more memory than stated, is a finding.
/// </summary>
/// <param name="name">Short; names case files too.</param>
/// <param name="refusals">The documented exceptions, and nothing derived from anything else.</param>
internal abstract class Parser(string name, params Type[] refusals) : IDisposable
{
    private ScratchFile? scratch;

    public string Name => name;

    public string Refusals => refusals.Length == 0 ? "none" : string.Join(", ", refusals.Select(static type => type.Name));

    /// <summary>Inputs that are accepted: where mutations start.</summary>
    public abstract IReadOnlyList<byte[]> Seeds { get; }

    /// <summary>Bytes that reading an input may allocate: so much, and so many for each byte of the input.</summary>
    public virtual (long Fixed, int PerByte) Allocation => (256 << 10, 64);

    /// <summary>Inputs are kept below this.</summary>
    public virtual int MaxLength => 16 << 10;

    /// <summary>Accepts or throws. The result describes what was found there, for telling a new kind of input from one seen before.</summary>
    /// <exception cref="BrokenPromiseException">It was accepted, and something that must hold then does not.</exception>
    public abstract int Read(byte[] input);

    /// <summary>The input with its checksums made right, so that what lies behind them is reached.</summary>
    public virtual byte[] Mended(byte[] input) => input;

    public bool IsRefusal(Exception exception) => refusals.Any(type => type.IsInstanceOfType(exception));

    public void Dispose() => scratch?.Dispose();

    /// <summary>A file of this parser's own, for readers that want one.</summary>
    protected ScratchFile Scratch(string file = "input") => scratch ??= new ScratchFile(file);

    /// <summary>A rough size: inputs of a new order of magnitude are new.</summary>
    protected static int Rough(long count) => BitOperations.Log2((ulong)Math.Max(1, count));

    protected static void Promise(bool held, string what)
    {
        if (!held)
        {
            throw new BrokenPromiseException(what);
        }
    }

    protected static void Same(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, string what) =>
        Promise(expected.SequenceEqual(actual), what);
}

/// <summary>Accepted, but what must hold of accepted input does not.</summary>
internal sealed class BrokenPromiseException(string what) : Exception(what);
