using Mirror.Store.Packs;

namespace Mirror.Store.Tests.Packs;

public sealed class PackFileTests : IDisposable
{
    private readonly PackSamples samples = new();

    public void Dispose() => samples.Dispose();

    [Fact]
    public async Task A_published_pack_has_its_name_and_only_that()
    {
        var pending = await samples.WriteSmallAsync();
        var meaning = PackSamples.MeaningOf(pending);
        var path = samples.Save([1, 2, 3]);

        PackFile.Publish(pending, path);

        Assert.False(File.Exists(pending));
        Assert.Equal(meaning, PackSamples.MeaningOf(path));
    }

    [Fact]
    public void Publishing_what_is_not_there_leaves_the_old_pack()
    {
        var path = samples.Save([1, 2, 3]);

        Assert.Throws<FileNotFoundException>(() => PackFile.Publish(samples.NewPath(), path));

        Assert.Equal([1, 2, 3], File.ReadAllBytes(path));
    }
}
