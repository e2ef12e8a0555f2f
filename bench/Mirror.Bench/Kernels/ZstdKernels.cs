using BenchmarkDotNet.Attributes;
using ZstdSharp;

namespace Mirror.Bench.Kernels;

/// <summary>The levels between which packs choose.</summary>
public class ZstdKernels
{
    private byte[] _bytes = [];
    private byte[] _packed = [];
    private byte[] _output = [];

    [Params("bigfile", "dump", "dumphex")]
    public string Workload { get; set; } = "";

    [Params(1, 3)]
    public int Level { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        using var data = new KernelData();
        _bytes = data.Get(Workload).New;
        using var compressor = new Compressor(Level);
        _packed = compressor.Wrap(_bytes).ToArray();
        _output = new byte[Compressor.GetCompressBound(_bytes.Length)];
    }

    [Benchmark]
    public int Compress()
    {
        using var compressor = new Compressor(Level);
        return compressor.Wrap(_bytes, _output);
    }

    [Benchmark]
    public int Decompress()
    {
        using var decompressor = new Decompressor();
        return decompressor.Unwrap(_packed, _output);
    }
}
