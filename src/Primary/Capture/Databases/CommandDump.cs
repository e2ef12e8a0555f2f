using Mirror.Node.Apps;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Primary.Capture.Databases;

/// <summary>Any other database, by a command of its owner: what it prints is the dump, or what it puts into the empty directory it is given. Ended badly, late, or with too little, it is no dump.</summary>
internal sealed class CommandDump(string site, DatabaseConfig database, string tree, string slot, Niceness niceness, TimeProvider time) : IDatabaseDump
{
    public async Task WriteAsync(string target, DumpContents contents, CancellationToken cancellation)
    {
        var pending = target + ".tmp";
        DumpDirectory.Remove(pending);
        File.Delete(pending);
        if (DatabaseCommand.FillsDirectory(database))
        {
            await FillAsync(target, pending, cancellation);
        }
        else
        {
            await PrintAsync(target, pending, contents, cancellation);
        }
    }

    private async Task PrintAsync(string target, string pending, DumpContents contents, CancellationToken cancellation)
    {
        DumpDirectory.Remove(target);
        using var file = new DumpFile(target, pending);
        var follower = contents.FollowFile(pending, target, time);
        var differs = await follower.BesideAsync(
            async token =>
            {
                await (DatabaseCommand.Dump(site, database, tree, slot, pending) with { Niceness = niceness, Output = ReadAsync }).RunAsync(time, token);
                CheckSize(file.Length);
                return file.Complete();
            },
            cancellation);
        if (differs)
        {
            File.Move(pending, target, overwrite: true);
            contents.Add(follower, target);
        }

        async Task ReadAsync(Stream from, CancellationToken token)
        {
            var buffer = new byte[256 << 10];
            int read;
            while ((read = await from.ReadAsync(buffer, token)) > 0)
            {
                file.Write(buffer.AsSpan(0, read));
            }
        }
    }

    private async Task FillAsync(string target, string pending, CancellationToken cancellation)
    {
        DumpDirectory.Make(pending);
        await (DatabaseCommand.Dump(site, database, tree, slot, pending) with { Niceness = niceness }).RunAsync(time, cancellation);
        CheckSize(DumpDirectory.SizeOf(pending));
        DumpDirectory.Take(pending, target);
    }

    private void CheckSize(long size)
    {
        if (size < database.AtLeast)
        {
            throw new CaptureException(
                $"The dump of {database.Name} has {size} bytes, and at least {Sizes.Format(database.AtLeast)} are expected of it: {Path.GetFileName(database.Command[0])} says that all went well, but it dumped next to nothing. "
                + "Look at what it does; or correct at-least, if so little is right.");
        }
    }
}
