using Mirror.Primary.Capture.Logs;
using Mirror.Store.Logs;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Capture.Logs;

public sealed class LogEmptyingTests
{
    private const int rounds = 100;

    [Fact]
    public void A_writer_at_full_speed_over_a_hundred_emptyings_loses_and_doubles_no_line()
    {
        using var rig = new LogRig();
        using var writer = LogWriter.Appending(rig.Log);
        var removed = EmptyUntilDone(rig);

        writer.Stop();
        rig.Collect();

        var lines = LogRig.AssertCounts(rig.Captured());
        Assert.True(lines > rounds * 20, $"only {lines} lines were written");
        Assert.True(removed > 0);
        Assert.True(new FileInfo(rig.Log).Length < removed / 2, $"{new FileInfo(rig.Log).Length} bytes are left of {removed}");
    }

    [Fact]
    public void Rotation_by_copy_and_truncate_between_a_hundred_emptyings_loses_and_doubles_no_line()
    {
        using var rig = new LogRig();
        using var writer = LogWriter.Appending(rig.Log);
        var removed = EmptyUntilDone(rig, round =>
        {
            if (round % 4 == 1)
            {
                // What is between the copy and the truncation, no rotation of this kind keeps: so nothing is written then.
                writer.Pause();
                Shell.Run("for n in 5 4 3 2 1; do [ ! -e \"$1.$n\" ] || mv \"$1.$n\" \"$1.$((n + 1))\"; done; cp \"$1\" \"$1.1\"; truncate -s 0 \"$1\"", rig.Log);
                writer.GoOn();
            }
        });

        writer.Stop();
        rig.Collect();

        var lines = LogRig.AssertCounts(rig.Captured());
        Assert.True(lines > rounds * 20, $"only {lines} lines were written");
        Assert.True(removed > 0);
    }

    [Fact]
    public void A_writer_that_opens_its_log_anew_while_it_is_renamed_between_a_hundred_emptyings_loses_and_doubles_no_line()
    {
        using var rig = new LogRig();
        using var writer = LogWriter.Reopening(rig.Log);
        var removed = EmptyUntilDone(rig, round =>
        {
            if (round % 4 == 1)
            {
                Shell.Run("for n in 5 4 3 2 1; do [ ! -e \"$1.$n\" ] || mv \"$1.$n\" \"$1.$((n + 1))\"; done; [ ! -e \"$1\" ] || mv \"$1\" \"$1.1\"", rig.Log);
            }
        });

        writer.Stop();
        rig.Collect();

        var lines = LogRig.AssertCounts(rig.Captured());
        Assert.True(lines > rounds * 20, $"only {lines} lines were written");
        Assert.True(removed > 0);
    }

    [Fact]
    public void A_log_whose_writer_keeps_its_place_gives_its_room_back_and_keeps_its_length()
    {
        using var rig = new LogRig();
        using var writer = LogWriter.KeepingItsPlace(rig.Log);
        var emptied = new List<EmptiedLog>();
        while (emptied.Count < 10)
        {
            rig.Collect();
            emptied.AddRange(rig.Empty());
        }

        writer.Stop();
        rig.Collect();

        Assert.All(emptied, one => Assert.False(one.Removed));
        var lines = LogRig.AssertCounts(rig.Captured());
        Assert.Equal(rig.Captured().Length, new FileInfo(rig.Log).Length);
        var room = 512 * long.Parse(Shell.Run("stat -c %b \"$1\"", rig.Log), System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(room <= new FileInfo(rig.Log).Length - emptied.Sum(one => one.Bytes) + (16 << 10), $"{lines} lines take {room} bytes");
    }

    [MountFact]
    public void Where_the_file_system_cannot_remove_a_range_the_room_is_given_back()
    {
        using var memory = new MountedDirectory(32 << 10);
        using var rig = new LogRig(place: memory.Path);
        using var writer = LogWriter.Appending(rig.Log);
        var emptied = new List<EmptiedLog>();
        while (emptied.Count < 10)
        {
            rig.Collect();
            emptied.AddRange(rig.Empty());
        }

        writer.Stop();
        rig.Restart();
        rig.Collect();

        Assert.All(emptied, one => Assert.False(one.Removed));
        Assert.True(LogRig.AssertCounts(rig.Captured()) > 0);
    }

    [Fact]
    public void A_process_that_is_killed_before_any_step_loses_and_doubles_no_line()
    {
        var killed = 0;
        var steps = new HashSet<string>();
        for (var at = 1; ; at++)
        {
            using var rig = new LogRig();
            rig.KillAt = at;
            var number = 0;
            var died = false;
            for (var round = 0; round < 4; round++)
            {
                Write(rig, ref number, 300);
                died |= Survives(rig, () => rig.Collect(), steps);
                Write(rig, ref number, 7);
                died |= Survives(rig, () => rig.Empty(), steps);
                if (round is 1 or 2)
                {
                    Write(rig, ref number, 5);
                    Shell.Run(round == 1 ? "cp \"$1\" \"$1.1\"; truncate -s 0 \"$1\"" : "mv \"$1\" \"$1.2\"", rig.Log);
                }

                Write(rig, ref number, 11);
            }

            died |= Survives(rig, () => rig.Collect(), steps);
            rig.Collect();
            Assert.True(LogRig.AssertCounts(rig.Captured()) == number, $"killed before step {at}: not {number} lines");
            if (!died)
            {
                break;
            }

            killed++;
        }

        Assert.True(killed >= 40, $"{killed} steps: {string.Join(", ", steps)}");
        Assert.Contains("killed before: remove from the front", steps);
        Assert.Contains("killed before: note what was removed", steps);
    }

    [Fact]
    public void A_log_that_is_rotated_after_its_process_was_killed_before_the_first_byte_was_captured_comes_in_the_order_it_was_written_in()
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log, string.Concat(Enumerable.Range(1, 300).Select(Line)));
        rig.KillAt = 3;
        Assert.Equal("killed before: append to segment", Assert.Throws<KilledException>(() => rig.Collect()).Message);
        Shell.Run("cp \"$1\" \"$1.1\"; truncate -s 0 \"$1\"", rig.Log);
        File.AppendAllText(rig.Log, string.Concat(Enumerable.Range(301, 300).Select(Line)));

        rig.Restart();
        rig.Collect();

        Assert.Equal(600, LogRig.AssertCounts(rig.Captured()));
    }

    [Fact]
    public void Equal_lines_that_could_not_tell_whether_they_were_removed_are_not_removed()
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log, string.Concat(Enumerable.Repeat("0123456789abcde\n", 10_000)));
        rig.Collect();

        var emptied = rig.Empty();

        Assert.Equal([false], emptied.Select(one => one.Removed));
        rig.Restart();
        File.AppendAllText(rig.Log, "0123456789abcde\n");
        rig.Collect();
        Assert.Equal(10_001 * 16, rig.Captured().Length);
    }

    [Fact]
    public void Only_what_the_mark_covers_is_taken_out()
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log, string.Concat(Enumerable.Range(1, 2_000).Select(Line)));
        rig.Collect();
        var mark = rig.Logs.Mark;
        File.AppendAllText(rig.Log, string.Concat(Enumerable.Range(2_001, 2_000).Select(Line)));
        rig.Collect();
        var length = new FileInfo(rig.Log).Length;

        var emptied = Assert.Single(rig.Logs.Empty(rig.Root, mark));

        Assert.True(emptied.Removed);
        Assert.InRange(emptied.Bytes, mark.Ends.Values.Single() - (2 * 4096), mark.Ends.Values.Single() - 4096);
        Assert.Equal(length - emptied.Bytes, new FileInfo(rig.Log).Length);
        Assert.Equal(4_000, LogRig.AssertCounts(rig.Captured()));
        Assert.EndsWith(File.ReadAllText(rig.Log), rig.Captured(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_log_that_was_replaced_since_is_left_alone()
    {
        using var rig = new LogRig();
        File.WriteAllText(rig.Log, string.Concat(Enumerable.Range(1, 2_000).Select(Line)));
        rig.Collect();
        Shell.Run("truncate -s 0 \"$1\"; for i in $(seq 2001 5000); do echo \"$i $2\"; done >> \"$1\"", rig.Log, LogWriter.Text);
        var length = new FileInfo(rig.Log).Length;

        Assert.Empty(rig.Empty());

        Assert.Equal(length, new FileInfo(rig.Log).Length);
        rig.Collect();
        Assert.Equal(5_000, LogRig.AssertCounts(rig.Captured()));
    }

    // Returns the bytes taken out.
    private static long EmptyUntilDone(LogRig rig, Action<int>? after = null)
    {
        long removed = 0;
        for (var round = 0; round < rounds;)
        {
            rig.Collect();
            var emptied = rig.Empty();
            if (emptied.Count == 0)
            {
                continue;
            }

            Assert.All(emptied, one => Assert.True(one.Removed));
            removed += emptied.Sum(one => one.Bytes);
            after?.Invoke(round++);
            round += after is null ? 1 : 0;
        }

        return removed;
    }

    private static bool Survives(LogRig rig, Action work, HashSet<string> steps)
    {
        try
        {
            work();
            return false;
        }
        catch (KilledException killed)
        {
            steps.Add(killed.Message);
            rig.Restart();
            return true;
        }
    }

    private static void Write(LogRig rig, ref int number, int lines)
    {
        var first = number + 1;
        number += lines;
        File.AppendAllText(rig.Log, string.Concat(Enumerable.Range(first, lines).Select(Line)));
    }

    private static string Line(int number) => $"{number} {LogWriter.Text}\n";
}
