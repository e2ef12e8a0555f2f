using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using Mirror.Bench.Workloads;
using Mirror.Delta;

namespace Mirror.Bench.Kernels;

/// <summary>The innermost loops, and the hashes of libraries beside which they run.</summary>
public class HashKernels
{
    internal const int Length = 16 << 20;

    private const int BlockLength = 2048;

    private static readonly BlockKey key = new(1);

    private readonly byte[] _bytes = new byte[Length];
    private BlockTable? _table;
    private int _searchedLength;
    private uint _leavingWeight;

    [GlobalSetup]
    public async Task SetupAsync()
    {
        var random = new SeededRandom(11);
        var other = new byte[Length];
        random.Fill(other);
        random.Fill(_bytes);
        var signature = await BlockSignature.OfAsync(new MemoryStream(other), Length, key, CancellationToken.None);
        _table = new(signature, key);
        _searchedLength = signature.BlockLength;
        _leavingWeight = RollingSum.LeavingWeight(_searchedLength);
    }

    [Benchmark]
    public uint SumOfBlocks()
    {
        uint sum = 0;
        for (var at = 0; at < Length; at += BlockLength)
        {
            sum += RollingSum.Of(_bytes.AsSpan(at, BlockLength));
        }

        return sum;
    }

    [Benchmark]
    public uint SlideByBytes()
    {
        var weight = RollingSum.LeavingWeight(BlockLength);
        var sum = RollingSum.Of(_bytes.AsSpan(0, BlockLength));
        for (var at = BlockLength; at < _bytes.Length; at++)
        {
            sum = RollingSum.Slide(sum, _bytes[at - BlockLength], _bytes[at], weight);
        }

        return sum;
    }

    /// <summary>The search in a table where nothing is found: what a byte of new content costs.</summary>
    [Benchmark]
    public int RollThroughTable()
    {
        var at = 0;
        var sum = RollingSum.Of(_bytes.AsSpan(0, _searchedLength));
        var passed = 0;
        while (_table!.Roll(_bytes, _leavingWeight, ref at, ref sum))
        {
            passed++;
        }

        return passed;
    }

    [Benchmark]
    public ulong HashOfPieces256() => HashOfPieces(256);

    [Benchmark]
    public ulong HashOfPieces1024() => HashOfPieces(1024);

    [Benchmark]
    public byte[] Sha256() => SHA256.HashData(_bytes);

    private ulong HashOfPieces(int length)
    {
        ulong sum = 0;
        for (var at = 0; at < Length; at += length)
        {
            sum += PieceHash.Of(_bytes.AsSpan(at, length), key);
        }

        return sum;
    }
}
