import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import org.openapitools.client.ApiClient;
import org.openapitools.client.api.ApprovalsApi;
import org.openapitools.client.api.ClustersApi;
import org.openapitools.client.api.CredentialsApi;
import org.openapitools.client.api.EventsApi;
import org.openapitools.client.api.EvidenceApi;
import org.openapitools.client.api.JobsApi;
import org.openapitools.client.api.PeersApi;
import org.openapitools.client.api.PlansApi;
import org.openapitools.client.model.AttestationCreate;
import org.openapitools.client.model.ClusterCreate;
import org.openapitools.client.model.CreateClusterPlan;
import org.openapitools.client.model.CreateClusterStart;
import org.openapitools.client.model.CredentialCreate;
import org.openapitools.client.model.DecisionCreate;
import org.openapitools.client.model.JobRead;
import org.openapitools.client.model.PeerCreate;
import org.openapitools.client.model.PolicyPatch;

/** Plan, approve, apply, watch, keep the evidence: with the Java client of openapi-generator. Argument: a file of needs. */
public final class Story {
    private static final Set<String> ENDED = Set.of("succeeded", "failed", "cancelled");

    public static void main(String[] arguments) throws Exception {
        var json = ApiClient.createDefaultObjectMapper();
        JsonNode needs = json.readTree(Path.of(arguments[0]).toFile());
        var client = client(needs, "key");

        var secret = new CredentialCreate()
                .name(needs.get("cluster").asText())
                .username(needs.get("username").asText())
                .secret(needs.get("password").asText());
        var credential = new CredentialsApi(client).createCredential(secret, null);
        for (JsonNode endpoint : needs.get("peer").get("endpoints")) {
            ((ObjectNode) endpoint).put("credential_id", credential.getId());
        }
        var wanted = json.treeToValue(needs.get("peer"), PeerCreate.class);
        var peer = new PeersApi(client).createPeer(wanted, null);
        var declared = new ClusterCreate()
                .name(needs.get("cluster").asText())
                .policy(new PolicyPatch().minimumApprovers(1).fourEyes(true));
        var cluster = new ClustersApi(client).createCluster(declared, null);

        var plan = new PlansApi(client)
                .planCreateCluster(
                        cluster.getId(), new CreateClusterPlan().primaryPeerId(peer.getId()), null);
        List<AttestationCreate> stated = new ArrayList<>();
        for (var gate : plan.getAttestationsNeeded()) {
            stated.add(new AttestationCreate()
                    .gate(gate.getGate()).by("A. Operator").reason("CHG0031234"));
        }
        var start = new CreateClusterStart()
                .primaryPeerId(peer.getId())
                .planDigest(plan.getDigest())
                .attestations(stated);
        var jobs = new JobsApi(client);
        JobRead job = jobs.startCreateCluster(
                cluster.getId(), UUID.randomUUID().toString(), start, null);
        var approvals = new ApprovalsApi(client(needs, "approver_key"));
        var asked = approvals.getApproval(job.getId());
        approvals.approveApproval(
                asked.getId(),
                new DecisionCreate()
                        .planDigest(asked.getPlanDigest())
                        .by("B. Approver")
                        .reason("Agreed in the CAB."),
                null);
        while (!ENDED.contains(String.valueOf(job.getState()))) {
            job = jobs.getJob(job.getId(), java.math.BigDecimal.valueOf(30));
        }
        var events = new EventsApi(client).listJobEvents(job.getId(), null, 1000, null);
        var result = jobs.getJobResult(job.getId());
        var evidence = new EvidenceApi(client).getJobEvidence(job.getId(), null);
        // The client's own mapper leaves out nulls, and evidence is what was signed.
        new ObjectMapper().writeValue(Path.of(needs.get("evidence").asText()).toFile(), evidence);
        if (!"succeeded".equals(String.valueOf(job.getState()))) {
            throw new IllegalStateException(String.valueOf(job.getFailure()));
        }
        if (events.getItems().size() != job.getLastEventSeq()) {
            throw new IllegalStateException("an event is missing");
        }
        System.out.println(result.getState() + ": " + result.getStepsDone() + " of "
                + result.getStepsTotal() + " steps");
    }

    private static ApiClient client(JsonNode needs, String name) {
        var client = new ApiClient();
        client.updateBaseUri(needs.get("url").asText());
        var key = "Bearer " + needs.get(name).asText();
        client.setRequestInterceptor(request -> request.header("Authorization", key));
        return client;
    }
}
