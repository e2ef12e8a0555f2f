using Mirror.Store.Logs;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Capture.Logs;

public sealed class LogShippingTests
{
    [Fact]
    public void What_was_written_since_is_what_is_read_and_full_segments_are_never_touched_again()
    {
        using var rig = new LogRig();
        var content = string.Concat(Enumerable.Range(1, 30_000).Select(Line));
        File.WriteAllText(rig.Log, content);
        rig.Collect();
        Assert.Equal(content, rig.Captured());
        var files = Directory.GetFiles(rig.Logs.Segments, "0*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        Assert.Equal((content.Length + LogSegment.Length - 1) / LogSegment.Length, files.Count);
        var untouched = files.SkipLast(1).Select(Stat).ToList();

        File.AppendAllText(rig.Log, Line(30_001));
        rig.Collect();

        Assert.Equal(content + Line(30_001), rig.Captured());
        Assert.Equal(untouched, files.SkipLast(1).Select(Stat));
        Assert.Equal(30_001, LogRig.AssertCounts(rig.Captured()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_log_that_is_always_copied_over_the_same_copy_goes_on_in_it_each_time(bool restarted)
    {
        using var rig = new LogRig();
        for (var round = 0; round < 5; round++)
        {
            File.AppendAllText(rig.Log, Hundred(3 * round));
            rig.Collect();
            File.AppendAllText(rig.Log, Hundred((3 * round) + 1));
            Shell.Run("cp \"$1\" \"$1.1\"; truncate -s 0 \"$1\"", rig.Log);
            File.AppendAllText(rig.Log, Hundred((3 * round) + 2));
            if (restarted)
            {
                rig.Restart();
            }

            rig.Collect();
            rig.Empty();
        }

        Assert.Equal(1_500, LogRig.AssertCounts(rig.Captured()));

        static string Hundred(int number) => string.Concat(Enumerable.Range((100 * number) + 1, 100).Select(static line => $"{line} {LogWriter.Text}\n"));
    }

    [Fact]
    public void A_capture_with_nothing_new_changes_nothing_on_disk()
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log, Line(1));
        rig.Collect();
        var steps = rig.Steps;

        rig.Collect();

        Assert.Equal(steps, rig.Steps);
    }

    [Theory]
    [InlineData("logs/*.log", "logs/*.log.*")]
    [InlineData("logs/app.log", "logs/other.log")]
    public void A_log_that_is_renamed_is_read_to_its_end_and_the_new_one_from_its_beginning(string first, string second)
    {
        using var rig = new LogRig(patterns: [first, second]);
        File.WriteAllText(rig.Log, Line(1));
        rig.Collect();

        // The writer still has the old file, and writes a line after the rename.
        Shell.Run("exec 3>>\"$1\"; mv \"$1\" \"$1.1\"; printf '%s\\n' \"$2\" >&3; printf '%s\\n' \"$3\" >> \"$1\"", rig.Log, Line(2).TrimEnd(), Line(3).TrimEnd());
        rig.Collect();
        Shell.Run("mv \"$1.1\" \"$1.2\"; mv \"$1\" \"$1.1\"; printf '%s\\n' \"$2\" >> \"$1\"", rig.Log, Line(4).TrimEnd());
        rig.Restart();
        rig.Collect();

        Assert.Equal(4, LogRig.AssertCounts(rig.Captured()));
    }

    [Fact]
    public void A_log_that_is_renamed_and_deleted_is_read_to_its_end()
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log, Line(1));
        rig.Collect();

        Shell.Run("printf '%s\\n' \"$2\" >> \"$1\"; mv \"$1\" \"$1.1\"; rm \"$1.1\"; printf '%s\\n' \"$3\" >> \"$1\"", rig.Log, Line(2).TrimEnd(), Line(3).TrimEnd());
        rig.Collect();

        Assert.Equal(3, LogRig.AssertCounts(rig.Captured()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_log_that_is_copied_and_truncated_goes_on_in_the_copy_and_begins_anew(bool restarted)
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log, Line(1));
        rig.Collect();
        File.AppendAllText(rig.Log, Line(2));
        Shell.Run("cp \"$1\" \"$1.1\"", rig.Log);

        // The copy is there and the log not yet truncated.
        rig.Collect();
        File.AppendAllText(rig.Log, Line(3));
        Shell.Run("cp \"$1\" \"$1.1\"; truncate -s 0 \"$1\"; printf '%s\\n' \"$2\" >> \"$1\"", rig.Log, Line(4).TrimEnd());
        if (restarted)
        {
            rig.Restart();
        }

        rig.Collect();
        Shell.Run("mv \"$1.1\" \"$1.2\"; cp \"$1\" \"$1.1\"; truncate -s 0 \"$1\"; for i in 1 2 3 4 5 6 7 8 9; do printf '%s\\n' \"$((4 + i)) $2\" >> \"$1\"; done", rig.Log, LogWriter.Text);
        rig.Collect();

        Assert.Equal(13, LogRig.AssertCounts(rig.Captured()));
    }

    [Fact]
    public void Rotated_files_that_were_there_before_are_the_beginning_of_their_log_in_the_order_they_were_written()
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log + ".2", Line(1));
        File.SetLastWriteTimeUtc(rig.Log + ".2", DateTime.UnixEpoch.AddDays(20_000));
        File.WriteAllText(rig.Log + ".1", Line(2));
        File.SetLastWriteTimeUtc(rig.Log + ".1", DateTime.UnixEpoch.AddDays(20_001));
        File.WriteAllText(rig.Log, Line(3));
        File.WriteAllText(rig.Log + ".3.gz", "not a log");

        rig.Collect();

        Assert.Equal(3, LogRig.AssertCounts(rig.Captured()));
        Assert.Equal("", rig.Captured("logs/app.log.3.gz"));
    }

    [Fact]
    public void What_a_log_held_leaves_the_versions_when_it_is_old_and_no_longer_in_the_file()
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log, string.Concat(Enumerable.Range(1, 30_000).Select(Line)));
        rig.Collect();
        var segments = Directory.GetFiles(rig.Logs.Segments, "0*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(3, segments.Count);
        segments.ForEach(path => File.SetLastWriteTimeUtc(path, DateTime.UtcNow.AddDays(-31)));
        rig.Restart();
        rig.Collect();
        Assert.All(segments, path => Assert.True(File.Exists(path), "what is still in the log stays"));

        rig.Empty();
        rig.Restart();
        rig.Collect();
        File.AppendAllText(rig.Log, Line(30_001));
        rig.Restart();
        rig.Collect();

        Assert.Equal([false, false, true], segments.Select(File.Exists));
        Assert.EndsWith(Line(30_000) + Line(30_001), File.ReadAllText(segments[2]), StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_that_were_not_noted_as_durable_are_read_once_more()
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log, Line(1));
        rig.Collect();
        var segment = Directory.GetFiles(rig.Logs.Segments, "0*", SearchOption.AllDirectories).Single();
        File.AppendAllText(segment, "\0\0\0\0 what a power cut leaves");
        File.AppendAllText(rig.Log, Line(2));

        rig.Restart();
        rig.Collect();

        Assert.Equal(2, LogRig.AssertCounts(rig.Captured()));
    }

    private static (DateTime, long) Stat(string path) => (File.GetLastWriteTimeUtc(path), new FileInfo(path).Length);

    private static string Line(int number) => $"{number} {LogWriter.Text}\n";
}
