namespace Mirror.Scenarios.Failover;

/// <summary>One stage for all scenarios of failover, made by the first that plays: starting it takes longer than most of them.</summary>
public sealed class FailoverField : IAsyncLifetime
{
    private Stage? stage;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (stage is not null)
        {
            await stage.DisposeAsync();
        }
    }

    internal async Task<Stage> OpenAsync() => stage ??= await Stage.BuildAsync();
}

[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class OnTheField : ICollectionFixture<FailoverField>
{
    public const string Name = "hosts of their own";
}
