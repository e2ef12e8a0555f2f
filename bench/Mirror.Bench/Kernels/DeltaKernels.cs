using BenchmarkDotNet.Attributes;
using Mirror.Delta;

namespace Mirror.Bench.Kernels;

/// <summary>The whole operations, from memory to memory: what a process's start, files and pipes add is seen by holding <c>bench delta</c> against these.</summary>
[MemoryDiagnoser]
public class DeltaKernels
{
    private static readonly BlockKey key = new(1);

    private byte[] _old = [];
    private byte[] _new = [];
    private byte[] _delta = [];
    private BlockSignature? _signature;
    private BlockSignature? _newSignature;

    [Params("bigfile", "dump", "dumphex", "random")]
    public string Workload { get; set; } = "";

    [GlobalSetup]
    public async Task SetupAsync()
    {
        using var data = new KernelData();
        (_old, _new) = data.Get(Workload);
        _signature = await BlockSignature.OfAsync(Reading(_old), _old.Length, key, CancellationToken.None);
        _newSignature = await BlockSignature.OfAsync(Reading(_new), _new.Length, key, CancellationToken.None);
        using var delta = new MemoryStream();
        await FileDelta.EncodeAsync(Reading(_new), _signature, key, delta, CancellationToken.None);
        _delta = delta.ToArray();
    }

    [Benchmark]
    public Task<BlockSignature> Sign() => BlockSignature.OfAsync(Reading(_new), _new.Length, key, CancellationToken.None);

    [Benchmark]
    public Task<ContentDigest> SignWithSha256() => BlockSignature.SignAsync(Reading(_new), _new.Length, key, CancellationToken.None);

    [Benchmark]
    public Task<ContentDigest> Encode() => FileDelta.EncodeAsync(Reading(_new), _signature, key, Stream.Null, CancellationToken.None);

    [Benchmark]
    public Task<ContentDigest> EncodeUnchanged() => FileDelta.EncodeAsync(Reading(_new), _newSignature, key, Stream.Null, CancellationToken.None);

    [Benchmark]
    public Task<ContentDigest> EncodeExact() => FileDelta.EncodeExactAsync(Reading(_new), _signature!, Reading(_old), key, Stream.Null, CancellationToken.None);

    [Benchmark]
    public Task<(long Length, byte[] Sha256)> Patch() => FileDelta.ApplyAsync(Reading(_old), Reading(_delta), Stream.Null, _new.Length, CancellationToken.None);

    [Benchmark]
    public Task Invert() => FileDelta.InvertAsync(Reading(_old), Reading(_new), Reading(_delta), Stream.Null, CancellationToken.None);

    private static MemoryStream Reading(byte[] bytes) => new(bytes, writable: false);
}
