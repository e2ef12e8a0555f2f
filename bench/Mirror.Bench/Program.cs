using Mirror.Bench;

// Whole processes against a peer, pairwise in one run on the same machine: medians, and the ratio. What it makes lies in bench/.work and is removed again.
var root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "..", ".."));
var mirror = Path.Combine(root, ".build", "mirror", "mirror");
if (!File.Exists(mirror))
{
    Console.Error.WriteLine($"{mirror} is not built; run ./build.sh publish first.");
    return 1;
}

var work = Path.Combine(root, "bench", ".work");
var runs = args is [var count] && int.TryParse(count, out var wanted) ? Math.Clamp(wanted, 1, 50) : 3;
if (Directory.Exists(work))
{
    Directory.Delete(work, recursive: true);
}

try
{
    var source = Path.Combine(work, "source");
    Workload.MakeTree(source, files: 5000, seed: 1);
    Workload.MakeBigFile(Path.Combine(source, "big.bin"), megabytes: 128, seed: 2);
    var pairs = new Pairs(runs);
    Console.WriteLine($"{"work",-28} {"mirror save",12} {"rsync -a",12} {"ratio",7}   medians of {runs}, milliseconds");

    await pairs.CompareAsync(
        "first version",
        run => [mirror, "save", source, "--store", Path.Combine(work, $"store-{run}")],
        run => ["rsync", "-a", "--fsync", source + "/", Path.Combine(work, $"copy-{run}") + "/"]);
    Workload.Edit(source, share: 20, seed: 3);
    await pairs.CompareAsync(
        "one file in twenty edited",
        run => [mirror, "save", source, "--store", Path.Combine(work, $"store-{run}")],
        run => ["rsync", "-a", "--fsync", source + "/", Path.Combine(work, $"copy-{run}") + "/"]);
    await pairs.CompareAsync(
        "nothing changed",
        run => [mirror, "save", source, "--store", Path.Combine(work, $"store-{run}")],
        run => ["rsync", "-a", "--fsync", source + "/", Path.Combine(work, $"copy-{run}") + "/"]);
    await pairs.CompareAsync(
        "the first version back",
        run => [mirror, "restore", "1.1", Path.Combine(work, $"restored-{run}"), "--store", Path.Combine(work, $"store-{run}")],
        run => ["rsync", "-a", source + "/", Path.Combine(work, $"again-{run}") + "/"]);
    return 0;
}
finally
{
    Directory.Delete(work, recursive: true);
}
