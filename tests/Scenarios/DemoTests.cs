namespace Mirror.Scenarios;

/// <summary>The main job, by the demo itself: real processes, real kill -9, real load.</summary>
[Collection("one cluster at a time")]
public sealed class DemoTests
{
    [Fact]
    public async Task The_demo_plays_the_disaster_and_loses_nothing_consistent()
    {
        var report = await MirrorProgram.JsonAsync("demo", "--auto", "--site", "/usr/share/common-licenses");

        Assert.True(report.GetProperty("ok").GetBoolean(), report.ToString());
        Assert.Equal(0, report.GetProperty("failed_requests").GetInt64());
        Assert.Equal(0, report.GetProperty("lost_consistent_writes").GetInt32());
        Assert.True(report.GetProperty("acknowledged_writes").GetInt32() > 50);
        Assert.True(report.GetProperty("restore_ok").GetBoolean());
        Assert.True(report.GetProperty("epoch").GetUInt64() >= 3);
        Assert.True(report.GetProperty("failover_ms").GetDouble() > 0);
        Assert.True(report.GetProperty("switchover_ms").GetDouble() > 0);
        Assert.Equal(3, report.GetProperty("site").GetProperty("copies").GetInt32());
    }
}

[CollectionDefinition("one cluster at a time", DisableParallelization = true)]
public sealed class OneClusterAtATime;
